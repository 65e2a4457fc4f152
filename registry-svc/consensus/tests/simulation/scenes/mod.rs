//! One situation each, made by hand.
