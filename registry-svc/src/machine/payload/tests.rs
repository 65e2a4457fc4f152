use super::*;
use process_model::ProcessSpec;
use process_model::spec::Command as Program;
use registry_domain::Apply;

fn commands(count: u32) -> Vec<Command> {
    let command = |n| {
        let spec = ProcessSpec::new(format!("p{n}").parse().unwrap(), Program::Shell("run".into()));
        let header = Header { actor: "admin".into(), time: Timestamp(7), ..Header::default() };
        Command { header, order: Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }) }
    };
    (0..count).map(command).collect()
}

/// The bytes of a batch with another content, and a checksum that fits.
fn with(level: u16, count: u32, body: &[u8]) -> Payload {
    let mut bytes = vec![VERSION];
    bytes.extend(level.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(count.to_le_bytes());
    bytes.extend(body);
    let crc = checksum(&bytes);
    bytes[3..7].copy_from_slice(&crc.to_le_bytes());
    Payload::new(bytes.into()).unwrap()
}

#[test]
fn every_flipped_bit_and_every_missing_byte_is_noticed() {
    let whole = encode(&commands(2)).unwrap().bytes().clone();
    let is_refused = |bytes: Bytes| Payload::new(bytes).is_none_or(|payload| decode(&payload).is_err());
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(damaged.into()), "bit {bit}");
    }
    for len in 0..whole.len() {
        assert!(is_refused(whole.slice(..len)), "cut to {len}");
    }
}

#[test]
fn a_batch_from_a_replica_with_another_clock_gets_the_leaders_time_and_nothing_else_changes() {
    let sent = encode(&commands(3)).unwrap();
    let second = i64::try_from(TOLERATED.as_nanos()).unwrap();
    for near in [7, 7 + second, 7 - second] {
        assert_eq!(taken_in(sent.clone(), Timestamp(near)), sent);
    }
    for far in [8 + second, 6 - second, i64::MAX, i64::MIN] {
        let mut expected = commands(3);
        expected.iter_mut().for_each(|command| command.header.time = Timestamp(far));
        assert_eq!(decode(&taken_in(sent.clone(), Timestamp(far))).unwrap(), expected);
    }
    // What cannot be read is passed on: who applies it says why.
    let body = sent.bytes().slice(HEAD..);
    for strange in [with(LEVEL + 1, 3, &body), with(LEVEL, 9, &body), with(1, 1, &[0x92]), with(1, 0, &[])] {
        assert_eq!(taken_in(strange.clone(), Timestamp(i64::MAX)), strange);
    }
}

#[test]
fn what_a_later_version_wrote_is_an_error_that_says_so_and_never_skipped() {
    let body = encode(&commands(1)).unwrap().bytes().slice(HEAD..);
    assert!(matches!(decode(&with(LEVEL + 1, 1, &body)), Err(PayloadError::Level { level, .. }) if level == LEVEL + 1));
    let mut form = with(LEVEL, 1, &body).bytes().to_vec();
    form[0] = 99;
    assert!(matches!(decode(&Payload::new(form.into()).unwrap()), Err(PayloadError::Form(99))));

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum LaterOrder {
        TakeOverTheWorld { when: u64 },
    }
    let order = rmp_serde::to_vec(&(Header::default(), LaterOrder::TakeOverTheWorld { when: 1 })).unwrap();
    let error = decode(&with(LEVEL, 2, &[&body[..], &order].concat())).unwrap_err();
    assert!(matches!(error, PayloadError::Unknown { number: 2, .. }), "{error:?}");
    assert!(
        service_host::causes::chain(&error).contains("take_over_the_world"),
        "{}",
        service_host::causes::chain(&error)
    );
    assert!(error.to_string().contains("upgrade"));

    // A field more than this version has.
    #[derive(Serialize)]
    struct LaterHeader(&'static str, &'static str, &'static str, u64, i64, &'static str, bool);
    let header = LaterHeader("admin", "", "", 0, 7, "source", true);
    let command = rmp_serde::to_vec(&(header, &commands(1)[0].order)).unwrap();
    assert!(matches!(decode(&with(LEVEL, 1, &command)), Err(PayloadError::Unknown { number: 1, .. })));
    // A number, a truth, the beginning of a text, what nothing begins with; a list and a map that lack all or some of
    // their parts, as a command that was cut does; one more command than the head says.
    let lists: [&[u8]; 4] = [&[0x91], &[0x92, 0x01], &[0x81], &[0x81, 0xa1, 0x6b]];
    let others: [&[u8]; 5] = [&[0x00], &[0xc3], &[0xd9], &[0xc1], &body];
    for rest in lists.into_iter().chain(others) {
        let with_rest = decode(&with(LEVEL, 1, &[&body[..], rest].concat()));
        assert!(matches!(with_rest, Err(PayloadError::Damaged(_))), "{rest:x?}");
    }
}

#[test]
fn what_an_earlier_version_wrote_gets_the_default_of_a_field_that_it_did_not_have() {
    // `Apply` without its last field, as before there were traces.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum EarlierOrder {
        Apply((Vec<ProcessSpec>, &'static str)),
    }
    let spec = ProcessSpec::new("p0".parse().unwrap(), Program::Shell("run".into()));
    let header = Header { actor: "admin".into(), time: Timestamp(7), ..Header::default() };
    let command = rmp_serde::to_vec(&(header, EarlierOrder::Apply((vec![spec], "")))).unwrap();
    assert_eq!(decode(&with(LEVEL, 1, &command)).unwrap(), commands(1));
}
