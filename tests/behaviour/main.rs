//! One outcome per started call, right parents, right numbers: what a user sees of an annotated function.

mod first;
