//! The statements in which the order of things matters.

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
