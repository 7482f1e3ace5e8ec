//! A hypervisor in memory, for tests.
