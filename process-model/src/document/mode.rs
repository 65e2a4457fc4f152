//! Permission bits: octal digits after a 0, so that nobody reads them as a
//! decimal number.

use super::scalar::{Look, Wrong, cut};
use super::tree::{Node, Value};
use crate::spec::limits;

const FORM: &str = "write octal digits after a 0, as 022 or \"0660\"";

/// The bits.
pub(super) fn read(node: &Node) -> Result<u32, Wrong> {
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, FORM)) };
    match scalar.look() {
        Look::Number | Look::Text => {}
        Look::Null | Look::Flag(_) => return Err(Wrong::found(node, FORM)),
    }
    let text = scalar.text.as_str();
    let digits =
        text.strip_prefix("0o").or_else(|| text.strip_prefix('0').map(|rest| if rest.is_empty() { "0" } else { rest }));
    let digits = digits.filter(|digits| !digits.is_empty() && digits.bytes().all(|b| (b'0'..=b'7').contains(&b)));
    let Some(digits) = digits else { return Err(Wrong::found(node, FORM)) };
    let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| limits::MODE_BITS.contains(bits));
    bits.ok_or_else(|| Wrong::new(format!("{} is out of range", cut(text)), "write 000 to 0777"))
}
