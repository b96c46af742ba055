"""How the page is served: its settings, its login, the headers of its answers, and the folder of its uploads.

Knows nothing of Gradio's Python; app.py hands what is made here to `launch`.
"""

from isic_screen.serving.guard import Guard, Health
from isic_screen.serving.settings import Login, Settings, read_settings
from isic_screen.serving.upload_folder import own_upload_folder, swept

__all__ = ["Guard", "Health", "Login", "Settings", "own_upload_folder", "read_settings", "swept"]
