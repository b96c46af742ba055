"""The page: the only part of isic_screen that knows Gradio."""
