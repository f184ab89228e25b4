"""What people see of grades: on screen, and in report.html."""
