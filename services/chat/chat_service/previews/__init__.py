"""Link previews: what the links of a message point to, fetched behind the send."""
