//! What the tests share: an OTLP receiver in this process, polling with a deadline, free ports.
