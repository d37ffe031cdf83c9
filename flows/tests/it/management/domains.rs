//! Hosts of projects' own.

use flows::management::Error;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

const HOST: &str = "auth.one.example";

on_both!(a_host_is_proven_before_it_is_served, a_host_is_proven_before_it_is_served_on_postgres, proven);
async fn proven(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    assert_eq!(manage.custom_domain(&project).await.unwrap(), None);
    assert!(matches!(manage.verify_domain(&project).await, Err(Error::NotFound)));
    let named = manage.initiate_domain(&project, "Auth.One.Example.").await.unwrap();
    assert_eq!((named.host.as_str(), named.status), (HOST, "initiated"));
    assert_eq!(named.proof_name, format!("_tenantry.{HOST}"));
    assert!(matches!(manage.activate_domain(&project).await, Err(Error::Invalid(_))));
    app.dns.publish(&named.proof_name, "tenantry=guessed");
    assert!(matches!(manage.verify_domain(&project).await, Err(Error::Invalid(_))));
    assert_eq!(manage.project_of_host(HOST).await.unwrap(), None);

    app.dns.publish(&named.proof_name, &named.proof_value);
    assert_eq!(manage.verify_domain(&project).await.unwrap().status, "verified");
    assert_eq!(manage.project_of_host(HOST).await.unwrap(), None, "not before it is put to use");
    assert_eq!(manage.activate_domain(&project).await.unwrap().status, "active");
    assert_eq!(manage.project_of_host("AUTH.one.example").await.unwrap(), Some(project.clone()));
    assert_eq!(
        manage.initiate_domain(&project, HOST).await.unwrap().status,
        "active",
        "the same again changes nothing"
    );
    manage.remove_domain(&project).await.unwrap();
    assert_eq!(manage.project_of_host(HOST).await.unwrap(), None);
    assert!(matches!(manage.remove_domain(&project).await, Err(Error::NotFound)));
}

on_both!(a_host_is_one_projects, a_host_is_one_projects_on_postgres, exclusive);
async fn exclusive(app: TestApp) {
    let manage = &app.management;
    let (one, two) = (app.project("one", json!({})).await.project_ref, app.project("two", json!({})).await.project_ref);
    let of_one = manage.initiate_domain(&one, HOST).await.unwrap();
    let of_two = manage.initiate_domain(&two, HOST).await.unwrap();
    assert_ne!(of_one.proof_value, of_two.proof_value, "the proof is of host and project");
    app.dns.publish(&of_one.proof_name, &of_one.proof_value);
    manage.verify_domain(&one).await.unwrap();
    assert!(matches!(manage.verify_domain(&two).await, Err(Error::Invalid(_))));
    manage.activate_domain(&one).await.unwrap();
    app.dns.publish(&of_two.proof_name, &of_two.proof_value);
    manage.verify_domain(&two).await.unwrap();
    assert!(matches!(manage.activate_domain(&two).await, Err(Error::Conflict(_))));
    manage.delete_project(&one, Some(0)).await.unwrap();
    manage.activate_domain(&two).await.unwrap();
    assert_eq!(manage.project_of_host(HOST).await.unwrap(), Some(two));
}

on_both!(what_is_no_host_is_refused, what_is_no_host_is_refused_on_postgres, refused);
async fn refused(app: TestApp) {
    let project = app.project("one", json!({})).await.project_ref;
    for host in
        ["", "localhost", "http://a.example", "a.example:80", "127.0.0.1", "-a.example", "a..example", "ä.example"]
    {
        let refused = app.management.initiate_domain(&project, host).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{host}");
    }
}
