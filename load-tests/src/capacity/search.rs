//! Which rate to try next.

/// How much a rate grows while everything holds.
const GROWTH: f64 = 1.5;
/// A tenth between what held and what did not is as near as short steps can tell.
const NEAR: f64 = 1.1;
/// Rates below this are not tried: something else is wrong.
const SLOWEST: f64 = 0.5;
const FASTEST: f64 = 200_000.0;

/// What was tried so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Search {
    first: f64,
    held: Option<f64>,
    broke: Option<f64>,
    left: u32,
}

impl Search {
    /// Begins at a rate and takes so many steps at most.
    pub(super) fn new(first: f64, steps: u32) -> Self {
        Self { first, held: None, broke: None, left: steps }
    }

    /// The rate of the next step; nothing when it is known well enough, or when there were enough steps.
    pub(super) fn next(&self) -> Option<f64> {
        let rate = match (self.held, self.broke) {
            (None, None) => self.first,
            (Some(held), None) => held * GROWTH,
            (None, Some(broke)) => broke / 2.0,
            (Some(held), Some(broke)) if broke / held > NEAR => f64::midpoint(held, broke),
            (Some(_), Some(_)) => return None,
        };
        let rate = if rate >= 20.0 { rate.round() } else { (rate * 10.0).round() / 10.0 };
        (self.left > 0 && (SLOWEST..=FASTEST).contains(&rate)).then_some(rate)
    }

    /// Notes what came of a rate.
    pub(super) fn tried(&mut self, rate: f64, held: bool) {
        self.left = self.left.saturating_sub(1);
        if held {
            self.held = Some(self.held.unwrap_or(0.0).max(rate));
        } else {
            self.broke = Some(self.broke.unwrap_or(f64::MAX).min(rate));
        }
    }

    /// The highest rate that held.
    pub(super) fn highest(&self) -> Option<f64> {
        self.held
    }

    /// Whether anything broke at all.
    pub(super) fn found_the_limit(&self) -> bool {
        self.broke.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a server that holds up to `capacity`, and says what was tried.
    fn tried(first: f64, steps: u32, capacity: f64) -> (Vec<f64>, Search) {
        let mut search = Search::new(first, steps);
        let mut rates = Vec::new();
        while let Some(rate) = search.next() {
            rates.push(rate);
            search.tried(rate, rate <= capacity);
        }
        (rates, search)
    }

    #[test]
    fn the_rate_grows_until_it_breaks_and_is_then_halved_in() {
        let (rates, search) = tried(20.0, 16, 100.0);
        assert_eq!(rates, [20.0, 30.0, 45.0, 68.0, 102.0, 85.0, 94.0]);
        assert_eq!(search.highest(), Some(94.0));
    }

    #[test]
    fn a_first_rate_that_is_too_much_is_halved() {
        let (rates, search) = tried(20.0, 16, 4.0);
        assert_eq!(rates[..3], [20.0, 10.0, 5.0]);
        assert!(search.highest().is_some_and(|rate| (3.6..=4.0).contains(&rate)), "{rates:?}");
    }

    #[test]
    fn a_search_ends() {
        let (rates, search) = tried(20.0, 16, 0.0);
        assert!(search.highest().is_none() && rates.len() < 10, "{rates:?}");
        let (rates, search) = tried(20.0, 5, f64::MAX);
        assert_eq!((rates.len(), search.found_the_limit()), (5, false));
        let (rates, _) = tried(100_000.0, 100, f64::MAX);
        assert_eq!(rates.len(), 2);
    }
}
