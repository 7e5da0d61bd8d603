"""`python -m gateway.site`: make the generated pages of the documentation anew."""

from gateway.site import settings_page

settings_page.write()
