"""Forms made from kinds: what stands in them, what comes back from the browser, and in which order it is asked."""
