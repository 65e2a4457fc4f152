use super::*;

fn json(otel: bool) -> Json {
    Json {
        otel,
        process: "web".into(),
        instance: "web-1".into(),
        node: "n1".into(),
        stream: "stdout".into(),
        run: 7,
        pid: 42,
        sequence: 0,
        begun: Vec::new(),
    }
}

const WALL: i64 = 1_795_230_301_123_456_789;

fn text(objects: &Objects) -> &str {
    std::str::from_utf8(&objects.text).unwrap()
}

#[test]
fn a_line_is_an_object_with_the_names_of_ecs() {
    let objects = json(false).push(b"hello \"you\"\r\n", WALL);
    assert_eq!(
        text(&objects),
        "{\"@timestamp\":\"2026-11-21T03:05:01.123456Z\",\"ecs.version\":\"8.11.0\",\"message\":\"hello \\\"you\\\"\",\
         \"service.name\":\"web\",\"service.node.name\":\"web-1\",\"host.name\":\"n1\",\"process.pid\":42,\
         \"event.sequence\":0,\"pm\":{\"stream\":\"stdout\",\"run\":7}}\n"
    );
    assert_eq!(objects.lines, [(objects.text.len(), 13)]);
}

#[test]
fn a_line_is_an_object_with_the_names_of_opentelemetry() {
    let objects = json(true).push(b"hello\n", WALL);
    assert_eq!(
        text(&objects),
        "{\"Timestamp\":\"1795230301123456789\",\"Body\":\"hello\",\"Resource\":{\"service.name\":\"web\",\
         \"service.instance.id\":\"web-1\",\"host.name\":\"n1\",\"process.pid\":42},\"Attributes\":\
         {\"log.iostream\":\"stdout\",\"pm.run\":7,\"pm.sequence\":0}}\n"
    );
}

#[test]
fn l07_what_is_no_text_is_there_exactly_in_base64() {
    let objects = json(false).push(b"\xff\x00\x1b[31m\n", WALL);
    let text = text(&objects);
    assert!(text.contains("\"message\":\"\u{fffd}\\u0000\\u001b[31m\""), "{text}");
    assert!(text.contains("\"bytes\":\"/wAbWzMxbQ==\""), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn base64_is_that_of_the_rfc() {
    for (bytes, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        let mut out = Vec::new();
        base64(&mut out, bytes.as_bytes());
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn l04_lines_come_whole_whatever_the_pieces_and_the_last_one_says_that_it_has_no_end() {
    let mut json = json(false);
    let mut all = String::new();
    for piece in ["on", "e\ntwo\nth", "", "ree"] {
        all += text(&json.push(piece.as_bytes(), WALL));
    }
    assert_eq!(all.lines().count(), 2);
    all += text(&json.finish(WALL));
    let lines: Vec<&str> = all.lines().collect();
    for (line, message) in lines.iter().zip(["one", "two", "three"]) {
        assert!(line.contains(&format!("\"message\":\"{message}\"")), "{line}");
    }
    assert_eq!(lines.iter().map(|line| line.contains("\"partial\":true")).collect::<Vec<_>>(), [false, false, true]);
    assert!(lines[2].contains("\"event.sequence\":2"));
    assert_eq!(text(&json.finish(WALL)), "");
}

#[test]
fn l04_a_long_line_is_several_objects_that_stand_for_all_of_it() {
    let mut json = json(false);
    let line = "x".repeat(1 << 20) + "\n";
    let mut stands_for = 0;
    let mut all = String::new();
    for piece in line.as_bytes().chunks(50_000) {
        let objects = json.push(piece, WALL);
        stands_for += objects.lines.iter().map(|(_, bytes)| bytes).sum::<usize>();
        all += text(&objects);
    }
    assert_eq!(stands_for, line.len());
    let partial = all.lines().filter(|line| line.contains("\"partial\":true")).count();
    assert_eq!((all.lines().count(), partial), (16, 15));
    assert!(json.begun.is_empty());
}
