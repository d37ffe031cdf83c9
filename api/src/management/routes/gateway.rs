//! Of the gateway and its projects as a whole.

use domain::operator::Access::{Change, Dispose, Read, Tokens};

use crate::management::document::{doc, own};
use crate::management::table::{Table, delete, get, post};
use crate::management::{audit, gateways, health, lifecycle, profile, projects, quotas, tokens};

pub(super) fn gateway(table: Table) -> Table {
    table
        .at("/v1/profile", get(Read, profile::get, doc("Whose token it is").gives::<profile::Profile>()))
        .at(
            "/v1/tokens",
            get(Tokens, tokens::list, own("Every operator token").lists::<tokens::Token>()).post(
                Tokens,
                tokens::create,
                own("Makes an operator token, which is shown once; an owner's is for all projects")
                    .takes::<tokens::NewToken>()
                    .gives::<tokens::Token>()
                    .with(201),
            ),
        )
        .at(
            "/v1/tokens/{id}",
            delete(Tokens, tokens::revoke, own("Revokes an operator token").gives::<tokens::Token>()),
        )
        .at(
            "/v1/audit",
            get(
                Read,
                audit::gateway,
                own("What operators changed, the newest first")
                    .query("project", "Only what concerns the project of this ref.")
                    .number("before", "Only what is older than the entry of this number.")
                    .number("limit", "How many, 1 to 1000; 100 where it is not given.")
                    .gives::<audit::Log>(),
            ),
        )
        .at("/v1/gateways", get(Read, gateways::list, own("The gateways that run").lists::<gateways::Gateway>()))
}

pub(super) fn organizations(table: Table) -> Table {
    table
        .at(
            "/v1/organizations",
            get(
                Read,
                profile::organizations,
                doc("The one organization of a gateway").lists::<profile::Organization>(),
            )
            .post(
                Dispose,
                profile::create_organization,
                doc("Refused with 400: a gateway is one organization").takes_any().never(400),
            ),
        )
        .at(
            "/v1/organizations/{slug}",
            get(Read, profile::organization, doc("One organization").gives::<profile::OrganizationDetail>()),
        )
        .at(
            "/v1/organizations/{slug}/entitlements",
            get(Read, profile::entitlements, doc("What a plan limits: nothing").gives::<profile::Entitlements>()),
        )
        .at(
            "/v1/organizations/{slug}/projects",
            get(
                Read,
                projects::of_organization,
                doc("Projects, page by page")
                    .number("offset", "How many to pass over, at most 10000.")
                    .number("limit", "How many, 1 to 100; 100 where it is not given.")
                    .query("search", "Only those whose ref or name begins so.")
                    .query("statuses", "Only those of these statuses, separated by commas.")
                    .gives::<projects::OrganizationProjects>(),
            ),
        )
}

pub(super) fn projects(table: Table) -> Table {
    table
        .at(
            "/v1/projects",
            get(
                Read,
                projects::list,
                doc("Projects, ordered by ref; a Link header leads to the next page")
                    .number("limit", "How many, 1 to 1000.")
                    .query("after", "Only those whose refs come after this one.")
                    .query("search", "Only those whose ref or name begins so.")
                    .query("statuses", "Only those of these statuses, separated by commas; else those that are not deleted.")
                    .lists::<projects::Shown>(),
            )
            .post(
                Dispose,
                projects::create,
                doc("Makes a project, which serves as soon as it is answered; its keys are shown in clear")
                    .conflicts()
                    .takes::<projects::NewProject>()
                    .gives::<projects::Created>()
                    .with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}",
            get(
                Read,
                projects::get,
                doc("One project").switch("deleted", "Also one that was deleted and can be restored.").gives::<projects::Shown>(),
            )
            .patch(Change, projects::rename, doc("Another name").takes::<projects::Rename>().gives::<projects::Short>())
            .delete(
                Dispose,
                lifecycle::delete,
                doc("Ends a project: it serves nothing from now on, and its data is removed after a time of grace")
                    .conflicts()
                    .number("grace", "Seconds until its data is removed; 0 = at once.")
                    .gives::<projects::Short>(),
            ),
        )
        .at("/v1/projects/{ref}/pause", post(Change, lifecycle::pause, doc("Its data stays, nothing is served").conflicts().gives::<projects::Shown>()))
        .at(
            "/v1/projects/{ref}/restore",
            post(Change, lifecycle::restore, doc("Serves again, after a pause or a deletion").conflicts().gives::<projects::Shown>()),
        )
        .at(
            "/v1/projects/{ref}/health",
            get(
                Read,
                health::get,
                doc("Whether its services are well")
                    .query("services", "auth, db, db_postgres_user, pooler, realtime, rest, storage, pg_bouncer; repeated, or separated by commas.")
                    .number("timeout_ms", "How long to wait, 0 to 10000.")
                    .lists::<health::Service>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/quotas",
            get(Read, quotas::get, own("What the gateway grants the project, and what of it is used").gives::<quotas::Quotas>())
                .patch(Dispose, quotas::set, own("Grants more or less; null = as much as every project").takes_any().gives::<quotas::Quotas>()),
        )
        .at("/v1/projects/{ref}/usage", get(Read, quotas::usage, own("How much it is used").gives::<quotas::Usage>()))
        .at(
            "/v1/projects/{ref}/audit",
            get(
                Read,
                audit::project,
                own("What operators changed of the project, the newest first")
                    .number("before", "Only what is older than the entry of this number.")
                    .number("limit", "How many, 1 to 1000; 100 where it is not given.")
                    .gives::<audit::Log>(),
            ),
        )
}
