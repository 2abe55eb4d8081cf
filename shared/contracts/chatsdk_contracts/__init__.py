"""The vocabulary that every part of ChatSDK shares: wire models, events, topology, signatures, ids.

Pure data and pure functions on pydantic: no I/O, no clock but the one inside `ids.new_id`. Import the module that
holds the word you need (`from chatsdk_contracts.messages import Message`); `catalogue` lists every event.
"""
