//! Which gateways there are.

use storage::control::Gateway;

use crate::fixture::{Fixture, t};

on_both! {
    who_is_behind_is_known
    a_gateway_that_leaves_is_waited_for_no_more
}

fn gateway(f: &Fixture, name: &str, seen: i64, seq: i64) -> Gateway {
    Gateway { id: f.id(), name: name.to_owned(), version: "1.0.0".to_owned(), started_at: t(1), seen_at: t(seen), seq }
}

fn names(gateways: Vec<Gateway>) -> Vec<String> {
    let mut names: Vec<_> = gateways.into_iter().map(|gateway| gateway.name).collect();
    names.sort();
    names
}

async fn who_is_behind_is_known(f: Fixture) {
    let control = f.control().await;
    let gateways = control.gateways();
    assert!(gateways.all_reached(5, t(1)).await.unwrap(), "there is none");
    let (ahead, behind, dead) = (gateway(&f, "ahead", 9, 5), gateway(&f, "behind", 9, 4), gateway(&f, "dead", 2, 1));
    for gateway in [&ahead, &behind, &dead] {
        gateways.beat(gateway).await.unwrap();
    }
    assert_eq!(gateways.list().await.unwrap().len(), 3);
    assert_eq!(names(gateways.behind(5, t(8)).await.unwrap()), ["behind"]);
    assert_eq!(names(gateways.behind(5, t(2)).await.unwrap()), ["behind", "dead"]);
    assert!(!gateways.all_reached(5, t(8)).await.unwrap());
    assert!(gateways.all_reached(4, t(8)).await.unwrap());
    let followed = Gateway { seq: 6, seen_at: t(10), ..behind };
    gateways.beat(&followed).await.unwrap();
    assert!(gateways.all_reached(5, t(8)).await.unwrap());
    assert!(gateways.list().await.unwrap().contains(&followed));
}

async fn a_gateway_that_leaves_is_waited_for_no_more(f: Fixture) {
    let control = f.control().await;
    let gateways = control.gateways();
    let (left, dead, stays) = (gateway(&f, "left", 9, 1), gateway(&f, "dead", 2, 1), gateway(&f, "stays", 9, 7));
    for gateway in [&left, &dead, &stays] {
        gateways.beat(gateway).await.unwrap();
    }
    gateways.leave(left.id).await.unwrap();
    gateways.leave(left.id).await.unwrap();
    assert!(gateways.all_reached(7, t(8)).await.unwrap());
    assert_eq!(gateways.forget(t(5)).await.unwrap(), 1);
    assert_eq!(names(gateways.list().await.unwrap()), ["stays"]);
}
