//! Configuration: one annotated default file, a user's file over it, the environment over both.
