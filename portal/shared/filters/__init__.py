"""The filters of pages that list what happened: as they are chosen, asked for and written."""
