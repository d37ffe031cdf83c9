//! Sliding logs that outlive the process.

use std::path::Path;
use std::time::Duration;

use cluster::{Cluster, Hit};

use crate::support::{at, project};

const WINDOW: Duration = Duration::from_secs(900);

fn started(path: &Path) -> Cluster {
    Cluster::in_process_kept(path).unwrap()
}

#[tokio::test]
async fn a_restart_gives_no_new_guesses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counters");
    let project = project();
    let hit = async |cluster: &Cluster, second: f64| {
        cluster.counters.hit(project, "ada@example.com", 3, WINDOW, at(second)).await.unwrap()
    };
    let first = started(&path);
    assert_eq!(hit(&first, 0.0).await, Hit::Counted { count: 1 });
    assert_eq!(hit(&first, 10.0).await, Hit::Counted { count: 2 });
    // Killed: nothing of it is dropped in an orderly way.
    std::mem::forget(first);
    let second = started(&path);
    assert_eq!(hit(&second, 20.0).await, Hit::Counted { count: 3 });
    assert_eq!(hit(&second, 30.0).await, Hit::Refused { retry_after: Duration::from_secs(870) });
    std::mem::forget(second);
    let third = started(&path);
    assert_eq!(hit(&third, 40.0).await, Hit::Refused { retry_after: Duration::from_secs(860) });
    assert_eq!(hit(&third, 900.0).await, Hit::Counted { count: 3 }, "the first has left the window");
}

#[tokio::test]
async fn what_was_forgotten_stays_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counters");
    let project = project();
    let first = started(&path);
    for key in ["ada", "bob"] {
        assert!(first.counters.hit(project, key, 1, WINDOW, at(0.0)).await.unwrap().counted());
    }
    first.counters.clear(project, "ada").await.unwrap();
    let second = started(&path);
    assert!(second.counters.hit(project, "ada", 1, WINDOW, at(1.0)).await.unwrap().counted());
    assert!(!second.counters.hit(project, "bob", 1, WINDOW, at(1.0)).await.unwrap().counted());
}

#[tokio::test]
async fn the_file_does_not_grow_with_what_no_longer_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counters");
    let cluster = started(&path);
    let project = project();
    for second in 0..30_000 {
        let key = format!("somebody{second}@example.com");
        let window = Duration::from_secs(60);
        assert!(cluster.counters.hit(project, &key, 5, window, at(f64::from(second))).await.unwrap().counted());
    }
    let length = std::fs::metadata(&path).unwrap().len();
    assert!(length < 2 << 20, "{length}");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Cluster::in_process_kept(&folder.path().join("nowhere").join("counters")).is_err());
}
