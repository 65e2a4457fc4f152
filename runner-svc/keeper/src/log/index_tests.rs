use super::*;
use proptest::prelude::*;

fn header() -> Header {
    Header { lineage: 7, base: 1 << 40, created: 1_795_230_301, retention: 3600, quota: 9, compress: Compression::Gzip }
}

fn at(kind: Kind, time: i64, offset: u64) -> Record {
    Record { kind, time: time * SPAN, offset }
}

fn bytes(records: &[Record]) -> Vec<u8> {
    let mut bytes = header().encode().to_vec();
    records.iter().for_each(|record| bytes.extend(record.encode()));
    bytes
}

#[test]
fn a_time_is_found_and_nothing_later_is_missed() {
    let records = [
        at(Kind::Run, 10, 0),
        at(Kind::Written, 10, 0),
        at(Kind::Written, 20, 100),
        at(Kind::Run, 30, 250),
        at(Kind::Written, 30, 250),
        at(Kind::Rotated, 40, 300),
    ];
    let index = Index::parse(&bytes(&records));
    assert_eq!(index.records, records);
    // What was written at 10 may have been written until 11.
    assert_eq!(
        [5, 10, 11, 20, 21, 31].map(|t| index.seek(t * SPAN)),
        [Some(0), Some(0), Some(100), Some(100), Some(250), None]
    );
    assert_eq!([5, 10, 25, 30].map(|t| index.end(t * SPAN)), [Some(0), Some(100), Some(250), None]);
    assert_eq!(index.time_at(0), Some((10 * SPAN, Some(100))));
    assert_eq!(index.time_at(249), Some((20 * SPAN, Some(250))));
    assert_eq!(index.time_at(299), Some((30 * SPAN, None)));
    assert_eq!(index.runs().collect::<Vec<_>>(), [0, 250]);
}

#[test]
fn without_an_index_everything_may_be_what_is_looked_for() {
    assert_eq!(Index::default().seek(5), Some(0));
    assert_eq!(Index::default().end(5), None);
    assert_eq!(Index::default().time_at(5), None);
}

#[test]
fn a_torn_record_costs_only_itself() {
    let mut all = bytes(&[at(Kind::Written, 1, 0), at(Kind::Written, 2, 10), at(Kind::Written, 3, 20)]);
    all[HEADER + RECORD + 9] ^= 1;
    all.truncate(all.len() - 1);
    assert_eq!(Index::parse(&all).records, [at(Kind::Written, 1, 0)]);
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Index::parse(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_never_taken_for_the_truth(bit in 0..(HEADER + 3 * RECORD) * 8) {
        let records = [at(Kind::Run, 1, 0), at(Kind::Written, 1, 0), at(Kind::Closed, 9, 77)];
        let mut all = bytes(&records);
        all[bit / 8] ^= 1 << (bit % 8);
        let index = Index::parse(&all);
        prop_assert!(index.header.is_none_or(|read| read == header()));
        prop_assert!(index.records.iter().all(|record| records.contains(record)));
    }
}
