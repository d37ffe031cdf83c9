-- Other issuers whose access tokens a project accepts.
create table control.third_party_auth (
    project_id uuid not null,
    id uuid not null,
    oidc_issuer_url text,
    jwks_url text,
    custom_jwks jsonb,
    resolved_jwks jsonb,
    inserted_at timestamptz not null,
    updated_at timestamptz not null,
    resolved_at timestamptz,
    constraint third_party_auth_pkey primary key (project_id, id),
    constraint third_party_auth_source_check check (num_nonnulls(oidc_issuer_url, jwks_url, custom_jwks) = 1),
    constraint third_party_auth_project_id_fkey
        foreign key (project_id) references control.projects (id) on delete cascade
);
