"""Users of a site without a login service: names that the site gives, passwords that they change."""

from pathlib import Path

import bcrypt
import nativeauthenticator
from jupyterhub.handlers.login import LoginHandler
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.handlers import ChangePasswordAdminHandler, ChangePasswordHandler
from nativeauthenticator.orm import UserInfo

PASSWORDS = Path("/run/secrets/passwords")
TEMPLATES = str(Path(nativeauthenticator.__file__).parent / "templates")


class LocalAuthenticator(NativeAuthenticator):
    """Nobody signs up: each user that the site names begins with the password that was generated for him."""

    def __init__(self, *args, **kwargs):
        kwargs |= {
            "enable_signup": False,
            "open_signup": False,
            "check_common_password": True,
            "minimum_password_length": 10,
            "allowed_failed_logins": 5,
            "seconds_before_next_try": 300,
        }
        super().__init__(*args, **kwargs)
        for name, password in first_passwords(PASSWORDS).items():
            if not self.user_exists(name):
                hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
                self.db.add(UserInfo(username=self.normalize_username(name), password=hashed, is_authorized=True))
        self.db.commit()

    def get_handlers(self, app):
        """Pages to log in and to change a password; the login page of NativeAuthenticator 1.3 fails in JupyterHub 6."""
        return [
            (r"/login", LoginHandler),
            (r"/change-password", ChangePasswordHandler),
            (r"/change-password/([^/]+)", ChangePasswordAdminHandler),
        ]


def first_passwords(folder):
    """Passwords by user, of a Secret that is mounted as a folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path.read_text().strip() for path in files if not path.name.startswith("..")}
