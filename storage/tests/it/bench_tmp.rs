use std::time::Instant;
use domain::ids::{InstanceId, SessionId, UserId};
use storage::{RotateSession, TenantStore, Database, Placement};
use tokio::task::JoinSet;
use uuid::Uuid;
use crate::fixture::{EmptyDatabase, t};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore]
async fn bench() {
    let e = EmptyDatabase::new().await;
    let placement = e.placement();
    let db = Database::connect(&placement).await.unwrap();
    db.migrate().await.unwrap();
    let mut c = <sqlx::PgConnection as sqlx::Connection>::connect(&e.url()).await.unwrap();
    crate::fixture::run(&mut c, "
      insert into auth.users (instance_id,id,aud,role,email,raw_app_meta_data,raw_user_meta_data,created_at,updated_at) select ('00000000-0000-0000-0000-0000000000'||lpad((n%20)::text,2,'0'))::uuid, ('00000000-0000-0000-0001-'||lpad(n::text,12,'0'))::uuid,'authenticated','authenticated','u'||n||'@x.io','{\"provider\":\"email\"}','{}',now(),now() from generate_series(1,40000) n;
      insert into auth.identities (instance_id,id,user_id,provider,provider_id,identity_data,created_at,updated_at) select instance_id, gen_random_uuid(), id,'email',id::text,jsonb_build_object('email',email),now(),now() from auth.users;
      insert into auth.sessions (instance_id,id,user_id,created_at,updated_at,aal,refresh_token_counter) select instance_id, id, id, now(),now(),'aal1',0 from auth.users;
      insert into auth.mfa_amr_claims (instance_id,id,session_id,created_at,updated_at,authentication_method) select instance_id, gen_random_uuid(), id, now(),now(),'password' from auth.users;
      analyze;").await;
    let ids = |n: u64| { let id = Uuid::from_u64_pair(0, (1u64 << 48) | u64::from_str_radix(&format!("{n:012}"), 16).unwrap()); let inst: Uuid = format!("00000000-0000-0000-0000-0000000000{:02}", n % 20).parse().unwrap(); (inst, id) };
    for clients in [1u64, 8, 64] {
        for what in ["read", "rotate"] {
            let before = db.statements();
            let start = Instant::now();
            let mut set = JoinSet::new();
            let per = 4000 / clients.max(4);
            for cl in 0..clients {
                let db = db.clone();
                set.spawn(async move {
                    for k in 0..per {
                        let n = 1 + cl * per + k + if clients == 8 {4000} else if clients == 64 {8000} else {0};
                        let (i, id) = ids(n);
                        let s = TenantStore::new(db.clone(), InstanceId(i));
                        if what == "read" { assert!(s.read_user(UserId(id), Some(SessionId(id))).await.unwrap().unwrap().session.is_some()); }
                        else { assert!(s.rotate_session(RotateSession{session: SessionId(id), expected_counter:0,next_counter:1,user_agent:None,ip:None,audit:vec![storage::AuditEntry{id: Uuid::from_u64_pair(n, clients), payload: serde_json::json!({"a":1}), ip_address: String::new(), created_at: t(1)}],now:t(1)}).await.unwrap().is_some()); }
                    }
                });
            }
            set.join_all().await;
            let el = start.elapsed();
            println!("{what} clients={clients} ops={} {:.0}/s statements={}", per*clients, (per*clients) as f64/el.as_secs_f64(), db.statements()-before);
        }
    }
    println!("DB {}", e.url());
    std::mem::forget(e);
    let _ = Placement::Sqlite{file: "x".into()};
}
