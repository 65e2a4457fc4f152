//! What is secret, and what is shown instead. Environment and header values
//! are secret without exception. In command lines and other texts it can only
//! be guessed: the value after a name that speaks of a secret, and the
//! password in an address. Rather too much is masked than too little.

/// What stands in the place of something secret.
pub const MASK: &str = "***";

/// Maps, by the last part of their path, of which every value is secret.
const SECRET_MAPS: [&str; 3] = ["env", "base_env", "headers"];

/// Parts of names that speak of a secret.
const SECRET_NAMES: [&str; 12] = [
    "passw",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "private_key",
    "access_key",
    "access-key",
    "authorization",
];

/// Whether all values of the map at this path are secret.
pub(super) fn is_secret_map(path: &str) -> bool {
    path.rsplit('.').next().is_some_and(|last| SECRET_MAPS.contains(&last))
}

/// Whether a name says that its value is secret, in letters of any case.
pub(super) fn is_secret_name(name: &str) -> bool {
    let begins =
        |rest: &[u8], part: &str| rest.get(..part.len()).is_some_and(|it| it.eq_ignore_ascii_case(part.as_bytes()));
    let name = name.as_bytes();
    (0..name.len()).any(|at| {
        let may_begin = matches!(name[at].to_ascii_lowercase(), b'a' | b'c' | b'p' | b's' | b't');
        may_begin && SECRET_NAMES.iter().any(|part| begins(&name[at..], part))
    })
}

/// A text without its secrets.
pub(super) fn text(text: &str) -> String {
    // Nothing else is ever masked; most texts have neither, and this is done for each change on each replica.
    if !is_secret_name(text) && !text.contains("://") {
        return text.to_owned();
    }
    let words = split(text);
    // Spaces are kept as they are, or a change of them would not be seen.
    let shown = mask_words(words.iter().map(|(word, _)| *word));
    shown.iter().zip(&words).map(|(word, (_, space))| format!("{word}{space}")).collect()
}

/// Arguments without their secrets: each is a word, whatever it holds.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    mask_words(words.iter().copied())
}

fn mask_words<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Whether the word before says that this one is secret.
    let mut announced = false;
    words
        .map(|word| {
            if announced {
                // `Authorization: Bearer x`: the scheme is none, what follows is.
                announced = ["bearer", "basic"].contains(&bare(word).to_ascii_lowercase().as_str());
                return if announced { word.to_owned() } else { MASK.to_owned() };
            }
            let name = bare(word).trim_end_matches(':');
            let option = word.starts_with('-') || bare(word).ends_with(':');
            announced = option && !word.contains('=') && is_secret_name(name) && !name.contains(char::is_whitespace);
            if announced { word.to_owned() } else { within(word) }
        })
        .collect()
}

fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', ';', ','])
}

/// A word with `NAME=value`, `NAME: value` or `scheme://user:password@host`
/// in it; everything from the value on goes.
fn within(word: &str) -> String {
    for (at, separator) in word.match_indices(['=', ':']) {
        let before = word.get(..at).unwrap_or_default();
        let name = before.trim_end_matches(['"', '\'']);
        let name = name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).next().unwrap_or_default();
        let rest = word.get(at + separator.len()..).unwrap_or_default();
        if is_secret_name(name) && !rest.is_empty() {
            return format!("{}{separator}{MASK}", address(before));
        }
    }
    address(word)
}

fn address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#', '"', '\'', ' ']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@').and_then(|(login, host)| Some((login.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:{MASK}@{host}{}", address(tail)),
        None => format!("{scheme}://{authority}{}", address(tail)),
    }
}

/// The words of a command line with the space after each; what is in quotes
/// is one word.
fn split(text: &str) -> Vec<(&str, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut quote = None;
        let end = rest.char_indices().find(|(_, c)| match (quote, *c) {
            (None, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            (None, c) => c.is_whitespace(),
            (Some(_), _) => false,
        });
        let (word, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let next = after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len());
        let (space, more) = after.split_at(next);
        words.push((word, space));
        rest = more;
    }
    words
}
