-- Signatures of wallets that were used, so that none is good twice. Kept until what was signed is over.
create table auth.web3_signatures (
    instance_id uuid not null,
    digest bytea not null,
    expires_at timestamptz not null,
    constraint web3_signatures_pkey primary key (instance_id, digest),
    constraint web3_signatures_digest_length check (octet_length(digest) = 32)
);
create index web3_signatures_expires_at_idx on auth.web3_signatures (instance_id, expires_at);
alter table auth.web3_signatures enable row level security;
