//! The statements in which the order of things matters, or the way to the rows.

/// Its columns are read by their places.
pub(super) const LOAD: &str = "SELECT version, body, key_id, refresh_at, dead_at \
    FROM oauth_store_record WHERE id = $1";

/// Locks the lease, so that nobody can take it over between the check and the write, and says
/// whether a newer one was given out.
macro_rules! fenced {
    ($write:literal) => {
        concat!(
            "WITH newest AS MATERIALIZED (\
                SELECT fence FROM oauth_store_lease WHERE id = $1 FOR SHARE), \
            fenced AS MATERIALIZED (\
                SELECT EXISTS (SELECT 1 FROM newest WHERE fence <> $2) AS yes), \
            written AS (",
            $write,
            " RETURNING version) \
            SELECT fenced.yes AS fenced, written.version \
            FROM fenced LEFT JOIN written ON true"
        )
    };
}

pub(super) const INSERT: &str = fenced!(
    "INSERT INTO oauth_store_record (id, body, key_id, refresh_at, dead_at, owner, version) \
    SELECT $3, $4, $5, $6, $7, $8, nextval('oauth_store_number') FROM fenced WHERE NOT yes \
    ON CONFLICT (id) DO NOTHING"
);

pub(super) const UPDATE: &str = fenced!(
    "UPDATE oauth_store_record SET body = $4, key_id = $5, refresh_at = $6, dead_at = $7, \
        version = nextval('oauth_store_number') \
    FROM fenced WHERE NOT yes AND id = $3 AND version = $8"
);

/// Takes a lease, unless somebody has it. One that was taken later than now is over: the server's
/// clock was set back, and nobody may have to wait until it is there again. Numbers and times are taken again once the row is locked:
/// those of the first line may be older than those of a lease that was given out and back while this
/// one waited.
pub(super) const LEASE: &str = "INSERT INTO oauth_store_lease AS held (id, fence, taken, until) VALUES (\
        $1, nextval('oauth_store_number'), clock_timestamp(), \
        clock_timestamp() + $2 * interval '1 microsecond') \
    ON CONFLICT (id) DO UPDATE SET fence = nextval('oauth_store_number'), \
        abandoned = held.fence <> 0, taken = clock_timestamp(), \
        until = clock_timestamp() + $2 * interval '1 microsecond' \
    WHERE held.until <= clock_timestamp() OR held.taken > clock_timestamp() \
    RETURNING fence, abandoned";

/// Ends a lease. The row stays for a while: it is what tells apart whoever comes back late. No lease
/// has the number 0; the number stays while a lease before this one was abandoned.
pub(super) const RELEASE: &str = "UPDATE oauth_store_lease \
    SET fence = CASE WHEN $3 THEN fence ELSE 0 END, \
        taken = 'infinity', until = least(until, clock_timestamp()) WHERE id = $1 AND fence = $2";

/// Removes the rows where they were found: a hundred ids, which are hashes, would be looked up on a
/// hundred pages of an index that grows with the table. Where a row is cannot change while it is
/// locked. One that is saved at this moment is left: this statement does not see what it became.
pub(super) const PURGE: &str = "DELETE FROM oauth_store_record WHERE ctid = ANY(ARRAY(\
        SELECT ctid FROM oauth_store_record WHERE dead_at < $1 ORDER BY dead_at LIMIT $2 \
        FOR UPDATE SKIP LOCKED)) RETURNING 1";

/// The same for the leases that ended a day ago. The time is the statement's: `clock_timestamp()`,
/// which is another one for each row, is compared with the rows and not looked up in the index, and
/// all leases of the day are read to find out that none is old.
pub(super) const PURGE_LEASES: &str = "DELETE FROM oauth_store_lease WHERE ctid = ANY(ARRAY(\
        SELECT ctid FROM oauth_store_lease \
        WHERE until < statement_timestamp() - interval '1 day' ORDER BY until LIMIT $1 \
        FOR UPDATE SKIP LOCKED))";

#[cfg(test)]
mod tests {
    use test_servers::PostgresServer;

    use super::*;

    #[test]
    fn a_purge_reads_nothing_but_what_it_removes() {
        let server = PostgresServer::start().unwrap();
        let url = server.url();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(crate::Postgres::connect(&url)).unwrap();
        for (statement, kinds, values, found_by) in [
            (PURGE, "bigint, bigint", "1, 2", "(dead_at < $1)"),
            (
                PURGE_LEASES,
                "bigint",
                "1",
                "(until < (statement_timestamp() - '1 day'::interval))",
            ),
        ] {
            // An empty table is read as a whole, unless that is forbidden.
            let plan = server.sql(&format!(
                "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
                PREPARE purge ({kinds}) AS {statement}; EXPLAIN EXECUTE purge ({values})"
            ));
            let plan = plan.unwrap();
            assert!(plan.contains(&format!("Index Cond: {found_by}")), "{plan}");
            assert!(plan.contains("TID Cond: "), "{plan}");
            assert!(!plan.contains("Filter: "), "{plan}");
        }
    }
}
