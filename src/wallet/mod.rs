//! `daylight wallet`: what the browser does for a signer, on the command line.
