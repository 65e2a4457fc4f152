//! `cargo xtask chart-docs`: what the chart holds a second time. Enters: `helm/values.yaml`, whose comments describe every
//! value; dashboards and rules of `examples/observability`, since a chart reads no file outside of itself. Leaves: the table
//! of values in `helm/README.md`, and the copies.

use crate::workspace::Workspace;
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- values: made by `cargo xtask chart-docs` -->\n";
const END: &str = "<!-- end of values -->\n";

/// Writes the table and the copies.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let readme = workspace.root().join("helm/README.md");
    let (old, new) = readmes(workspace.root())?;
    if old != new {
        fs::write(&readme, new).with_context(|| format!("cannot write {}", readme.display()))?;
    }
    copies(&workspace.root().join("examples/observability"), &workspace.root().join("helm"))
}

fn copies(from: &Path, to: &Path) -> Result<()> {
    let boards = to.join("dashboards");
    if boards.exists() {
        fs::remove_dir_all(&boards).with_context(|| format!("cannot remove {}", boards.display()))?;
    }
    let entries = fs::read_dir(from.join("grafana/dashboards")).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries.map(|entry| (entry.path(), boards.join(entry.file_name()))).collect();
    files.retain(|(source, _)| source.extension().is_some_and(|kind| kind == "json"));
    let rules = from.join("prometheus/rules.yaml");
    if rules.exists() {
        files.push((rules, to.join("rules.yaml")));
    }
    for (source, copy) in files {
        fs::create_dir_all(copy.parent().unwrap_or(to)).context("cannot make the folder of the dashboards")?;
        fs::copy(&source, &copy).with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(())
}

/// The README as it is, and as it should be.
fn readmes(root: &Path) -> Result<(String, String)> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
    let (readme, values) = (read("helm/README.md")?, read("helm/values.yaml")?);
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("helm/README.md has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("helm/README.md has no line {END}"))?;
    let new = format!("{before}{BEGIN}\n{}\n{END}{after}", table(&values)?);
    Ok((readme.clone(), new))
}

/// A row for each value. Only the forms that `values.yaml` is written in are known: `key:` with keys below it, or
/// `key: value` in one line with a comment `# -- …` above.
fn table(values: &str) -> Result<String> {
    let mut rows = String::from("| value | default | |\n|---|---|---|\n");
    let mut path: Vec<&str> = Vec::new();
    let mut comment: Option<&str> = None;
    for (number, line) in values.lines().enumerate() {
        let text = line.trim_start();
        if let Some(said) = text.strip_prefix("# -- ") {
            comment = Some(said);
            continue;
        }
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = text.split_once(':').with_context(|| format!("values.yaml:{}: no `key:`", number + 1))?;
        path.truncate((line.len() - text.len()) / 2);
        path.push(key);
        match (comment.take(), value.trim()) {
            (None, "") => {}
            (Some(said), value) if !value.is_empty() => {
                let (name, said) = (path.join("."), said.replace('|', "\\|"));
                rows.push_str(&format!("| `{name}` | `{value}` | {said} |\n"));
            }
            (said, _) => {
                ensure!(said.is_none(), "values.yaml:{}: {key} has a comment but no value", number + 1);
                anyhow::bail!("values.yaml:{}: {key} has no comment `# -- …` above it", number + 1);
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_of_the_chart_lists_the_values_as_they_are() {
        let (old, new) = readmes(Workspace::find().unwrap().root()).unwrap();
        assert!(old == new, "helm/README.md is not up to date: run `cargo xtask chart-docs`");
    }

    #[test]
    fn a_value_has_its_path_its_default_and_its_comment() {
        let rows = table(
            "# The file\n\na:\n  # -- first | second\n  b: [1]\n  c:\n    # -- deep\n    d: \"\"\n# -- top\ne: 1\n",
        );
        let rows = rows.unwrap();
        let rows: Vec<_> = rows.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["| `a.b` | `[1]` | first \\| second |", "| `a.c.d` | `\"\"` | deep |", "| `e` | `1` | top |"]
        );
    }

    #[test]
    fn a_value_without_a_comment_is_an_error_that_names_it() {
        let error = table("a:\n  b: 1\n").unwrap_err().to_string();
        assert!(error.contains("values.yaml:2: b"), "{error}");
    }
}
