//! Of where one project is and how it is reached, and of what tools ask of it beside its auth.

use domain::operator::Access::{Change, Dispose, Read, Reveal};

use crate::management::document::{doc, own};
use crate::management::table::{Table, get, patch, post};
use crate::management::{archive, elsewhere, hostname, imports, placement, projects};

pub(super) fn place(table: Table) -> Table {
    table
        .at(
            "/v1/projects/{ref}/placement",
            get(
                Read,
                placement::get,
                own("Where its rows are, and whether they are on their way").gives::<placement::Placed>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/move",
            post(
                Dispose,
                placement::start,
                own("Moves its rows to another database while it serves, with a short pause at the end")
                    .conflicts()
                    .takes::<placement::Move>()
                    .gives::<placement::Placed>()
                    .with(202),
            )
            .delete(
                Dispose,
                placement::cancel,
                own("Calls a move off that has not switched yet").conflicts().gives::<placement::Placed>(),
            ),
        )
        .at(
            "/v1/projects/{ref}/export",
            get(
                Reveal,
                archive::export,
                own("A page of the project's archive; the header x-tenantry-next leads to the next one")
                    .query("cursor", "Where the page before ended.")
                    .number("limit", "How many lines, 1 to 5000; 1000 where it is not given.")
                    .header("x-tenantry-archive-key", "32 bytes in base64, under which secrets are sealed.")
                    .gives_lines()
                    .conflicts(),
            ),
        )
        .at(
            "/v1/imports",
            post(
                Dispose,
                imports::start,
                own("Begins to bring a project in from an archive")
                    .conflicts()
                    .header("x-tenantry-archive-key", "The key that the archive was made with.")
                    .takes::<imports::NewImport>()
                    .gives::<imports::Import>()
                    .with(201),
            ),
        )
        .at(
            "/v1/imports/{id}",
            get(Dispose, imports::get, own("How far an import has come").gives::<imports::Import>()).delete(
                Dispose,
                imports::cancel,
                own("Calls an import off and removes what it brought in").conflicts().with(204),
            ),
        )
        .at(
            "/v1/imports/{id}/rows",
            post(
                Dispose,
                imports::rows,
                own("The next lines of the archive, at most 1 MiB")
                    .conflicts()
                    .number("from", "The number of the first line; the header is line 1.")
                    .takes_lines()
                    .gives::<imports::Import>(),
            ),
        )
        .at(
            "/v1/imports/{id}/finish",
            post(Dispose, imports::finish, own("Lets the project serve").conflicts().gives::<projects::Shown>()),
        )
}

pub(super) fn addresses(table: Table) -> Table {
    table
        .at(
            "/v1/projects/{ref}/custom-hostname",
            get(Read, hostname::get, doc("Its own domain").gives::<hostname::Hostname>()).delete(
                Change,
                hostname::remove,
                doc("Gives its own domain up"),
            ),
        )
        .at(
            "/v1/projects/{ref}/custom-hostname/initialize",
            post(
                Change,
                hostname::initialize,
                doc("Names a domain of its own")
                    .takes::<hostname::NewHostname>()
                    .gives::<hostname::Hostname>()
                    .with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/custom-hostname/reverify",
            post(
                Change,
                hostname::reverify,
                doc("Looks whether the domain leads here").conflicts().gives::<hostname::Hostname>().with(201),
            ),
        )
        .at(
            "/v1/projects/{ref}/custom-hostname/activate",
            post(
                Change,
                hostname::activate,
                doc("Serves the project at its own domain").conflicts().gives::<hostname::Hostname>().with(201),
            ),
        )
}

/// What tools ask of a project beside its auth.
pub(super) fn beside(table: Table) -> Table {
    let kept = "Answered, and not kept: there is no such service";
    table
        .at("/v1/projects/{ref}/billing/addons", get(Read, elsewhere::addons, doc("Nothing is for sale").gives_any()))
        .at(
            "/v1/projects/{ref}/postgrest",
            get(Read, elsewhere::data_api, doc("Settings of the Data API").gives_any()).patch(
                Change,
                elsewhere::set_data_api,
                doc(kept).takes_any().gives_any(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/database/postgres",
            get(Read, elsewhere::postgres, doc("Settings of PostgreSQL").gives_any()).put(
                Change,
                elsewhere::set_postgres,
                doc(kept).takes_any().gives_any(),
            ),
        )
        .at("/v1/projects/{ref}/config/database/pooler", get(Read, elsewhere::pooler, doc("Poolers: none").lists_any()))
        .at(
            "/v1/projects/{ref}/database/password",
            patch(Change, elsewhere::set_password, doc(kept).takes_any().gives_any()),
        )
        .at(
            "/v1/projects/{ref}/database/webhooks/enable",
            post(Change, elsewhere::enable_webhooks, doc(kept).with(201)),
        )
        .at(
            "/v1/projects/{ref}/network-restrictions",
            get(Read, elsewhere::network, doc("Who may reach the database").gives_any()),
        )
        .at(
            "/v1/projects/{ref}/network-restrictions/apply",
            post(Change, elsewhere::set_network, doc(kept).takes_any().gives_any().with(201)),
        )
        .at(
            "/v1/projects/{ref}/ssl-enforcement",
            get(Read, elsewhere::ssl, doc("Whether the database insists on TLS").gives_any()).put(
                Change,
                elsewhere::set_ssl,
                doc(kept).takes_any().gives_any(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/storage",
            get(Read, elsewhere::storage, doc("Settings of storage").gives_any()).patch(
                Change,
                elsewhere::set_storage,
                doc(kept).takes_any().gives_any(),
            ),
        )
        .at(
            "/v1/projects/{ref}/config/realtime",
            get(Read, elsewhere::realtime, doc("Settings of realtime").gives_any()).patch(
                Change,
                elsewhere::set_realtime,
                doc(kept).takes_any().gives_any(),
            ),
        )
}
