//! Gates: what each condition decides, and the check runs that show it.

mod flow;
