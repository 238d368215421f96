//! The pages in Chromium, which is asked to show them on a desk and on a phone. Pictures of all of
//! them are in `target/screenshots` afterwards.
