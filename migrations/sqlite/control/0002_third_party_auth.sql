-- Other issuers whose access tokens a project accepts.
create table control.third_party_auth (
    project_id blob not null,
    id blob not null,
    oidc_issuer_url text,
    jwks_url text,
    custom_jwks text,
    resolved_jwks text,
    inserted_at text not null,
    updated_at text not null,
    resolved_at text,
    constraint third_party_auth_pkey primary key (project_id, id),
    constraint third_party_auth_source_check check (
        (oidc_issuer_url is not null) + (jwks_url is not null) + (custom_jwks is not null) = 1
    ),
    constraint third_party_auth_project_id_fkey
        foreign key (project_id) references projects (id) on delete cascade
) strict;
