//! The life of a gate's check run over real HTTP: asked for again, renewed
//! before it goes stale; and conditions whose evidence the forge has to tell.
