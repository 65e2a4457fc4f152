use super::*;

fn file_with(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

#[test]
fn generated_tokens_are_64_hex_digits_and_differ() {
    let (one, two) = (Secret::generate(), Secret::generate());
    assert_eq!(one.expose().len(), 64);
    assert!(one.expose().bytes().all(|b| b.is_ascii_hexdigit()));
    assert_ne!(one.expose(), two.expose());
}

#[test]
fn a_token_matches_itself_and_nothing_else() {
    let secret = Secret::new("correct-horse").unwrap();
    assert!(secret.matches("correct-horse"));
    for wrong in ["", "correct-hors", "correct-horsf", "Correct-horse", "correct-horse "] {
        assert!(!secret.matches(wrong), "{wrong:?}");
    }
}

#[test]
fn what_is_written_is_read_back_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let secret = Secret::generate();
    secret.write_new(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Secret::from_file(&path).unwrap().matches(secret.expose()));
}

#[test]
fn an_existing_token_file_is_never_overwritten() {
    let (_dir, path) = file_with(b"old\n", 0o600);
    assert_eq!(Secret::generate().write_new(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"old\n");
}

#[test]
fn a_file_that_others_can_touch_is_refused() {
    for mode in [0o604, 0o644, 0o660, 0o777] {
        let (_dir, path) = file_with(b"token\n", mode);
        let error = Secret::from_file(&path).unwrap_err();
        assert!(matches!(error, SecretError::TooOpen { mode: m, .. } if m == mode), "{mode:o}: {error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    let (_dir, path) = file_with(b"token\r\n", 0o400);
    assert!(Secret::from_file(&path).unwrap().matches("token"));
}

#[test]
fn bad_content_is_refused_with_its_cause() {
    for content in [b"".as_slice(), b"\n", b"  \n"] {
        let (_dir, path) = file_with(content, 0o600);
        assert!(matches!(Secret::from_file(&path), Err(SecretError::Empty)));
    }
    for content in ["two words".as_bytes(), "schlüssel".as_bytes(), &[0xff, 0xfe], b"a\nb"] {
        let (_dir, path) = file_with(content, 0o600);
        assert!(matches!(Secret::from_file(&path), Err(SecretError::NotPrintable)));
    }
    let (_dir, path) = file_with(&[b'x'; MAX_LEN + 1], 0o600);
    assert!(matches!(Secret::from_file(&path), Err(SecretError::TooLong)));
    let (_dir, path) = file_with(&[b'x'; MAX_LEN], 0o600);
    assert!(Secret::from_file(&path).is_ok());
    let error = Secret::from_file(Path::new("/nonexistent/token")).unwrap_err();
    assert!(matches!(error, SecretError::Read { .. }));
}

#[test]
fn debug_shows_nothing_of_the_token() {
    assert_eq!(format!("{:?}", Secret::new("hunter2").unwrap()), "Secret(…)");
}
