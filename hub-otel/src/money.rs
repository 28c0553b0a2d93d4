//! Amounts of money.

/// An amount in trillionths of a US dollar: sums of prices per token are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Picodollars(pub(crate) u64);

const PER_DOLLAR: f64 = 1e12;

impl Picodollars {
    /// Converts an amount in dollars. `None` if it is negative or not finite.
    pub(crate) fn from_usd(usd: f64) -> Option<Self> {
        // The conversion saturates.
        (usd.is_finite() && usd >= 0.0).then(|| Self((usd * PER_DOLLAR).round() as u64))
    }

    pub(crate) fn usd(self) -> f64 {
        self.0 as f64 / PER_DOLLAR
    }
}
