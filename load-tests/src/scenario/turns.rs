//! Who is next: shares spread over turns and clients, and things that take turns.

use std::collections::VecDeque;
use std::mem;

/// What makes the fractions of its multiples fill the space between 0 and 1 evenly, however many there are: numbers far from
/// all simple fractions, and from each other.
const RATIOS: [f64; 3] = [0.618_033_988_749_895, 0.754_877_666_246_693, 0.414_213_562_373_095];

/// Spreads a share evenly over the turns of one client, and differently for each, so that many clients with few turns keep to
/// the share as well.
pub(super) struct Turns {
    share: f64,
    phase: f64,
    taken: u64,
}

impl Turns {
    /// The turns of the client with this number, from 0 on. Shares of one client that have nothing to do with each other have
    /// different numbers, of 0 to 2.
    pub(super) fn of(share: f64, client: usize, number: usize) -> Self {
        let ratio = RATIOS.get(number).copied().unwrap_or_default();
        Self { share, phase: (client as f64 * ratio).fract(), taken: 0 }
    }

    /// Takes a turn: whether it belongs to the share.
    pub(super) fn next(&mut self) -> bool {
        let before = self.so_far();
        self.taken += 1;
        self.so_far() > before
    }

    fn so_far(&self) -> f64 {
        // Sums of binary fractions fall short of whole numbers by far less than this.
        (self.taken as f64 * self.share + self.phase + 1e-9).floor()
    }
}

/// What one client has, one after the other.
pub(super) struct InTurn<T> {
    current: T,
    waiting: VecDeque<T>,
}

impl<T> InTurn<T> {
    /// The next one.
    pub(super) fn next(&mut self) -> &mut T {
        if let Some(next) = self.waiting.pop_front() {
            self.waiting.push_back(mem::replace(&mut self.current, next));
        }
        &mut self.current
    }
}

/// Deals `items` out to at most so many clients; where there are fewer items, to as many clients.
pub(super) fn deal<T>(items: impl IntoIterator<Item = T>, clients: u32) -> Vec<InTurn<T>> {
    let clients = clients as usize;
    let mut hands: Vec<InTurn<T>> = Vec::new();
    for (number, item) in items.into_iter().enumerate() {
        if hands.len() < clients {
            hands.push(InTurn { current: item, waiting: VecDeque::new() });
        } else if let Some(hand) = hands.get_mut(number % clients.max(1)) {
            hand.waiting.push_back(item);
        }
    }
    hands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly_over_turns() {
        let taken = |share: f64, turns: usize| -> Vec<bool> {
            let mut sequence = Turns::of(share, 0, 0);
            (0..turns).map(|_| sequence.next()).collect()
        };
        assert_eq!(taken(0.0, 3), [false; 3]);
        assert_eq!(taken(1.0, 3), [true; 3]);
        assert_eq!(taken(0.25, 8), [false, false, false, true, false, false, false, true]);
        assert_eq!(taken(0.05, 1000).iter().filter(|taken| **taken).count(), 50);
    }

    #[test]
    fn a_share_is_spread_over_clients_with_few_turns() {
        for (number, turns) in [(0, 1), (0, 2), (0, 7), (1, 1), (1, 5), (2, 1), (2, 20)] {
            for first in [0, 20, 44] {
                let taken = |client| {
                    let mut sequence = Turns::of(0.05, client, number);
                    (0..turns).filter(|_| sequence.next()).count()
                };
                let total: usize = (first..first + 40).map(taken).sum();
                let expected = 40.0 * 0.05 * f64::from(turns);
                assert!((total as f64 - expected).abs() <= 2.0, "{number}, {turns} turns: {total} of {expected}");
            }
        }
    }

    #[test]
    fn items_are_dealt_out_and_take_turns() {
        let mut hands = deal(1..=5, 2);
        let seen = |hand: &mut InTurn<i32>| (0..4).map(|_| *hand.next()).collect::<Vec<_>>();
        assert_eq!(hands.iter_mut().map(seen).collect::<Vec<_>>(), [[3, 5, 1, 3], [4, 2, 4, 2]]);
        assert_eq!(deal([7], 3).len(), 1);
        assert_eq!(*deal([7], 3)[0].next(), 7);
    }
}
