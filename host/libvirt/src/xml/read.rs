//! What libvirt answers, read into plain types.
