//! Empty. The fixtures are in fail/, the test is in ui.rs.
