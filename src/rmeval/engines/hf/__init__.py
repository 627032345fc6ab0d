"""The engine on Hugging Face transformers: rendering, batching, and the network itself."""
