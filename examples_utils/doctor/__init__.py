"""`doctor`: can this machine be measured well, and what would mend it?"""
