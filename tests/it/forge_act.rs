//! forge_act
