//! Selectors: how people name several things at once.

/// A name, or a pattern in which `*` stands for any run of characters and `?`
/// for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(String);

impl Selector {
    /// A selector from what a user wrote.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as the user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names exactly one thing.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it matches `name`. Linear in the length of both: no pattern can
    /// make it slow.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on when a later literal does not fit: after the last `*`.
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    retry = Some((p + 1, n));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                Some(_) | None => match retry {
                    Some((after_star, from)) => {
                        p = after_star;
                        n = from + 1;
                        retry = Some((after_star, from + 1));
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }

    /// Whether it selects an instance: by the instance's id or by its
    /// process's name.
    #[must_use]
    pub fn selects_instance(&self, id: &crate::InstanceId) -> bool {
        self.matches(id.process.as_str()) || self.matches(&id.to_string())
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("web-*", "worker-1", false),
            ("*", "", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("*-1", "web-1-1", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Selector::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_selector_finds_instances_by_process_and_by_id() {
        let id = "web-2".parse().unwrap();
        for (pattern, expected) in [("web", true), ("web-2", true), ("web-*", true), ("web-1", false), ("we", false)] {
            assert_eq!(Selector::new(pattern).selects_instance(&id), expected, "{pattern}");
        }
    }
}
