//! Readers that wait for what has not happened yet. Each keeps a connection and asks again from time to time: there are never
//! so many of them, neither of one project nor of all, that others find no room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::ProjectRef;

/// How many may wait at a time.
#[derive(Clone, Copy, Debug)]
struct Limits {
    project: usize,
    gateway: usize,
}

const LIMITS: Limits = Limits { project: 100, gateway: 1024 };

/// Counts those who wait.
#[derive(Clone, Debug)]
pub(crate) struct Watchers {
    limits: Limits,
    waiting: Arc<Mutex<HashMap<ProjectRef, usize>>>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self { limits: LIMITS, waiting: Arc::default() }
    }
}

/// A place among those who wait, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    watchers: Watchers,
    project: ProjectRef,
}

impl Watchers {
    /// A place for a reader of `project`; `None` where there are too many already.
    pub(crate) fn enter(&self, project: &ProjectRef) -> Option<Place> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.values().sum::<usize>() >= self.limits.gateway {
            return None;
        }
        let here = waiting.entry(project.clone()).or_default();
        if *here >= self.limits.project {
            return None;
        }
        *here += 1;
        Some(Place { watchers: self.clone(), project: project.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.watchers.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = waiting.get_mut(&self.project) {
            *here -= 1;
            if *here == 0 {
                waiting.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_project_nor_all_of_them_take_every_place() {
        let [one, two]: [ProjectRef; 2] = ["one", "two"].map(|name| name.parse().unwrap());
        let watchers = Watchers { limits: Limits { project: 2, gateway: 3 }, waiting: Arc::default() };
        let enter = |project| watchers.enter(project);
        let (first, second) = (enter(&one).unwrap(), enter(&one).unwrap());
        assert!(enter(&one).is_none(), "the project has its share");
        let third = enter(&two).unwrap();
        assert!(enter(&two).is_none(), "the gateway is full");
        drop(first);
        let again = enter(&two).unwrap();
        drop((second, third, again));
        assert!(watchers.waiting.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }
}
