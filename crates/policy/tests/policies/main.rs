//! Policies as people write them: directories that can and cannot be used, and the examples of the guide.

mod directory;
mod examples;
