//! Nothing: the fixtures stand in fail/, the test in ui.rs.
