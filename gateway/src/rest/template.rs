//! Path templates and the search among them. The table is small: a walk over
//! it costs less than the smallest call.

use super::routes::{ROUTES, Route};
use http::Method;
use percent_encoding::percent_decode_str;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Literal(&'static str),
    Field { name: &'static str, verb: Option<&'static str> },
}

impl Template {
    pub(crate) fn parse(path: &'static str) -> Self {
        let segment = |text: &'static str| match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, verb)) => Segment::Field { name, verb: verb.strip_prefix(':') },
            None => Segment::Literal(text),
        };
        Self(path.split('/').skip(1).map(segment).collect())
    }

    /// The fields that the path carries.
    #[cfg(test)]
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Field { name, .. } => Some(*name),
        })
    }

    /// The fields' values, when `path` fits.
    fn fit(&self, path: &[String]) -> Option<Vec<(&'static str, String)>> {
        if path.len() != self.0.len() {
            return None;
        }
        let mut fields = Vec::new();
        for (segment, text) in self.0.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Literal(_) => return None,
                Segment::Field { name, verb } => {
                    // No name of ours has a colon, so what follows one is a
                    // verb; an unknown verb is an unknown path.
                    let value = match (text.rsplit_once(':'), verb) {
                        (Some((value, said)), Some(verb)) if said == *verb => value,
                        (None, None) => text.as_str(),
                        (Some(_), Some(_) | None) | (None, Some(_)) => return None,
                    };
                    if value.is_empty() {
                        return None;
                    }
                    fields.push((*name, value.to_owned()));
                }
            }
        }
        Some(fields)
    }
}

/// What a path and a method lead to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A route and the fields that the path carries.
    Route(&'static Route, Vec<(&'static str, String)>),
    /// The path exists with these methods only.
    OtherMethods(Vec<Method>),
    /// No such path.
    Nothing,
}

/// All templates, parsed.
#[derive(Debug)]
pub(crate) struct Table(Vec<(Template, &'static Route)>);

impl Table {
    pub(crate) fn new() -> Self {
        Self(ROUTES.iter().map(|route| (Template::parse(route.path), route)).collect())
    }

    /// Finds the route of a request.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let mut segments = Vec::new();
        for segment in path.split('/').skip(1) {
            match percent_decode_str(segment).decode_utf8() {
                Ok(text) => segments.push(text.into_owned()),
                // No name of ours is anything but UTF-8.
                Err(_) => return Found::Nothing,
            }
        }
        let mut others: Vec<Method> = Vec::new();
        for (template, route) in &self.0 {
            let Some(fields) = template.fit(&segments) else { continue };
            if route.method == *method {
                return Found::Route(route, fields);
            }
            if !others.contains(&route.method) {
                others.push(route.method.clone());
            }
        }
        if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Method, Table};

    fn find(method: Method, path: &str) -> String {
        match Table::new().find(&method, path) {
            Found::Route(route, fields) => format!("{} {fields:?}", route.path),
            Found::OtherMethods(methods) => format!("only {methods:?}"),
            Found::Nothing => String::from("nothing"),
        }
    }

    #[test]
    fn paths_lead_to_routes() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/processes", "/api/v1/processes []"),
            (Method::GET, "/api/v1/processes/web", r#"/api/v1/processes/{name} [("name", "web")]"#),
            (
                Method::POST,
                "/api/v1/processes/web:stop",
                r#"/api/v1/processes/{selectors}:stop [("selectors", "web")]"#,
            ),
            (
                Method::POST,
                "/api/v1/processes/web-%2A:stop",
                r#"/api/v1/processes/{selectors}:stop [("selectors", "web-*")]"#,
            ),
            (Method::POST, "/api/v1/processes:stop", "/api/v1/processes:stop []"),
            (Method::POST, "/api/v1/processes/web:explode", "nothing"),
            (Method::POST, "/api/v1/processes/web", "only [GET, PUT, DELETE]"),
            (Method::GET, "/api/v1/processes/web:stop", "only [POST]"),
            (Method::GET, "/api/v1/processes/", "nothing"),
            (Method::GET, "/api/v1/processes/web/", "nothing"),
            (Method::GET, "/api/v1/processes/%FF", "nothing"),
            (Method::GET, "/", "nothing"),
            (
                Method::GET,
                "/api/v1/instances/web-1/logs",
                r#"/api/v1/instances/{selectors}/logs [("selectors", "web-1")]"#,
            ),
        ] {
            assert_eq!(find(method.clone(), path), expected, "{method} {path}");
        }
    }

    #[test]
    fn an_encoded_slash_stays_inside_its_segment() {
        assert_eq!(
            find(Method::GET, "/api/v1/processes/..%2F..%2Fetc"),
            r#"/api/v1/processes/{name} [("name", "../../etc")]"#
        );
    }
}
