//! Walks through sites that are made up.
