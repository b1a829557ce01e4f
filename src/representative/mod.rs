//! `daylight representative`: the second issuer of credentials, a process and an origin of its own, with its own
//! keys, its own small store and its own copy of the roll. It shares no database and no secret with the dashboard.
