//! What is in a line's hands: per project, what is on its way, what waits for that, and whose mail fails.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use domain::ids::InstanceId;
use tokio::time::Instant;

use super::courier::Claimed;

/// How long it is remembered that a project's mail failed.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// How many projects are remembered whose mail failed.
const MOST_FAILING: usize = 4096;

/// Rows of one project.
#[derive(Default)]
struct Hand {
    running: usize,
    waiting: VecDeque<Claimed>,
}

/// Rows in hand.
pub(super) struct Hands {
    projects: HashMap<InstanceId, Hand>,
    /// Projects whose last delivery failed, and when.
    failing: HashMap<InstanceId, Instant>,
    /// All rows in hand.
    held: usize,
    at_a_time: usize,
    per_project: usize,
}

impl Hands {
    /// Empty hands that carry `at_a_time` rows, and `per_project` of them at once for one project.
    pub(super) fn new(at_a_time: usize, per_project: usize) -> Self {
        Self { projects: HashMap::new(), failing: HashMap::new(), held: 0, at_a_time, per_project }
    }

    /// How many rows can be taken at once: a part of what is free, so that one project's cannot fill everything.
    pub(super) fn room(&self) -> usize {
        self.at_a_time.saturating_sub(self.held).min((self.at_a_time / 4).max(1))
    }

    /// Whether there is nothing in them.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes a row.
    pub(super) fn take(&mut self, claimed: Claimed) {
        self.held += 1;
        self.projects.entry(claimed.row.instance).or_default().waiting.push_back(claimed);
    }

    /// How many one project may have on their way whose mail goes out: few while the hands are more than half full.
    fn share(&self) -> usize {
        if 2 * self.held > self.at_a_time { self.per_project.min(2) } else { self.per_project }
    }

    /// The next row to deliver, and whether its project fails.
    pub(super) fn next(&mut self) -> Option<(Claimed, bool)> {
        let usual = self.share();
        for (project, hand) in &mut self.projects {
            let failing = self.failing.contains_key(project);
            let most = if failing { 1 } else { usual };
            if hand.running < most
                && let Some(claimed) = hand.waiting.pop_front()
            {
                hand.running += 1;
                return Some((claimed, failing));
            }
        }
        None
    }

    /// A row of `project` is no longer on its way.
    pub(super) fn let_go(&mut self, project: InstanceId) {
        self.held = self.held.saturating_sub(1);
        if let Some(hand) = self.projects.get_mut(&project) {
            hand.running = hand.running.saturating_sub(1);
            if hand.running == 0 && hand.waiting.is_empty() {
                self.projects.remove(&project);
            }
        }
    }

    /// Takes away what of `project` waits.
    pub(super) fn surrender(&mut self, project: InstanceId) -> Vec<Claimed> {
        let Some(hand) = self.projects.get_mut(&project) else { return Vec::new() };
        let waiting: Vec<Claimed> = hand.waiting.drain(..).collect();
        self.held = self.held.saturating_sub(waiting.len());
        if hand.running == 0 {
            self.projects.remove(&project);
        }
        waiting
    }

    /// Takes away everything that waits.
    pub(super) fn surrender_all(&mut self) -> Vec<Claimed> {
        let projects: Vec<InstanceId> = self.projects.keys().copied().collect();
        projects.into_iter().flat_map(|project| self.surrender(project)).collect()
    }

    /// Notes that the mail of `project` fails.
    pub(super) fn note_failure(&mut self, project: InstanceId, now: Instant) {
        if self.failing.len() >= MOST_FAILING {
            self.failing.clear();
        }
        self.failing.insert(project, now);
    }

    /// Notes that the mail of `project` goes out.
    pub(super) fn note_success(&mut self, project: InstanceId) {
        self.failing.remove(&project);
    }

    /// Projects of which nothing more is to be taken now.
    pub(super) fn full(&mut self, now: Instant) -> Vec<InstanceId> {
        self.failing.retain(|_, since| now.duration_since(*since) < REMEMBERED);
        let of_failing: usize = self
            .projects
            .iter()
            .filter(|(project, _)| self.failing.contains_key(project))
            .map(|(_, hand)| hand.running + hand.waiting.len())
            .sum();
        let usual = self.share();
        let crowded = |project: &InstanceId, hand: &Hand| {
            let most = if self.failing.contains_key(project) { 1 } else { usual };
            hand.running + hand.waiting.len() >= most
        };
        let mut full: Vec<InstanceId> = self
            .projects
            .iter()
            .filter(|(project, hand)| crowded(project, hand))
            .map(|(project, _)| *project)
            .collect();
        if of_failing >= self.at_a_time / 2 {
            full.extend(self.failing.keys().filter(|project| !self.projects.contains_key(project)));
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use storage::OutboxRow;
    use uuid::Uuid;

    use super::*;

    fn project(number: u128) -> InstanceId {
        InstanceId(Uuid::from_u128(number))
    }

    fn row(of: u128) -> Claimed {
        let row = OutboxRow {
            id: Uuid::nil(),
            instance: project(of),
            kind: "mail".to_owned(),
            payload: String::new(),
            attempts: 1,
        };
        Claimed { row, until: Instant::now() + Duration::from_secs(120) }
    }

    fn with(rows: &[u128]) -> Hands {
        let mut hands = Hands::new(16, 3);
        rows.iter().for_each(|of| hands.take(row(*of)));
        hands
    }

    fn started(hands: &mut Hands) -> Vec<u128> {
        let mut started: Vec<u128> =
            std::iter::from_fn(|| hands.next()).map(|(claimed, _)| claimed.row.instance.0.as_u128()).collect();
        started.sort_unstable();
        started
    }

    #[tokio::test]
    async fn a_project_has_so_many_on_their_way_and_the_rest_waits() {
        let mut hands = with(&[1, 1, 1, 1, 1, 2]);
        assert_eq!(started(&mut hands), [1, 1, 1, 2]);
        assert_eq!(hands.full(Instant::now()), [project(1)]);
        hands.let_go(project(1));
        assert_eq!(started(&mut hands), [1]);
    }

    #[tokio::test]
    async fn when_the_hands_are_half_full_a_project_gets_less() {
        let mut hands = with(&[1, 1, 1, 2, 2, 2, 3, 3, 3]);
        assert_eq!(started(&mut hands), [1, 1, 2, 2, 3, 3]);
    }

    #[tokio::test]
    async fn a_failing_project_has_one_on_its_way_until_one_succeeds() {
        let mut hands = with(&[1, 1, 1]);
        hands.note_failure(project(1), Instant::now());
        assert_eq!(started(&mut hands), [1]);
        assert_eq!(hands.full(Instant::now()), [project(1)]);
        hands.note_success(project(1));
        assert_eq!(started(&mut hands), [1, 1]);
    }

    #[tokio::test]
    async fn failing_projects_leave_half_of_the_hands_to_others() {
        let mut hands = with(&[1, 2, 3, 4, 5, 6, 7, 8]);
        (1..=9).for_each(|number| hands.note_failure(project(number), Instant::now()));
        let full = hands.full(Instant::now());
        assert!(full.contains(&project(9)), "one that has nothing in hand, too");
        assert!(!full.contains(&project(10)));
        assert!(hands.room() > 0);
        assert!(hands.full(Instant::now() + REMEMBERED).iter().all(|project| *project != self::project(9)));
    }

    #[tokio::test]
    async fn what_waits_can_be_given_back_and_nothing_is_left_behind() {
        let mut hands = with(&[1, 1, 1, 1, 2]);
        assert_eq!(started(&mut hands), [1, 1, 1, 2]);
        assert_eq!(hands.surrender(project(1)).len(), 1);
        assert!(hands.surrender_all().is_empty());
        (0..3).for_each(|_| hands.let_go(project(1)));
        hands.let_go(project(2));
        assert!(hands.held == 0 && hands.projects.is_empty());
    }
}
