"""Our own plugins, written against ``flagstone.sdk`` only, as anyone else's would be."""
