//! forge_understand
